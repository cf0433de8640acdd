data = list(range(12))
data[2:8:2] = ["a", "b", "c"]
del data[-3::-2]
m = memoryview(bytearray(b"abcdef"))
(data, data[::-1][1:4], data[100:], "abcdef"[-3:-1], m[1:5:2].tolist(), slice(None, -1, 2).indices(7), [1, 2, 3][slice(1, None)])
