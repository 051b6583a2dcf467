"""From paths and options to a saved picture: what every caller shares."""
