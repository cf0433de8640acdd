"""What the wasm backend adds to `pcm_guest`: modules from memory, and the port of the C glue."""
