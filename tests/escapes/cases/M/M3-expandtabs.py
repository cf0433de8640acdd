# about = "Tabs that expand beyond the address space."
# expect = ["error:MemoryError", "error:OverflowError"]
"\t".expandtabs(10**12)
