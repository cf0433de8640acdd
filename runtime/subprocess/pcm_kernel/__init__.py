"""What runs in a kernel: an IPython kernel whose runs are those of `pcm_guest`.

The host starts `python boot.py CONNECTION_FILE` with a socket as its standard input. Runs come as
execute requests of the Jupyter protocol; calls of the host, output and outcomes go over the socket
(see `port`). Code in the kernel can reach all of that, so the host trusts none of it.
"""
