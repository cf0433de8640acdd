# about = "An exception of ten million characters is told in short."
# also = ["in-process"]
# expect = "any"
# host_mib = 100
raise ValueError("x" * 10**7)
