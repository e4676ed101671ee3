"""Jobs: a detached driver for each reconstruction, on a named cluster. The run directory is the interface.

`client` starts and reads; it is all that widgets and the command line need, and it brings no Dask.
"""
