# about = "An array that is repeated beyond the address space."
# expect = ["error:MemoryError", "error:OverflowError"]
import array

array.array("d", [0.0]) * 10**9
