"""Who watches a run, and what is looked at afterwards."""
