# about = "One compilation that takes for ever is stopped."
# expect = ["kind:timeout", "error:MemoryError"]
# session = ["kept", "reset"]
# limits.timeout_ms = 300
source = "x = [" + "(1, 2.5, 'text', b'bytes', None)," * 10**6 + "]\n"
compile(source, "x", "exec")
