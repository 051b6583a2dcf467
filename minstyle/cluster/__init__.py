"""Jobs on the workers of Dask: other processes of this machine, or other machines."""
