def multiply(a, b):
    return [[sum(x * y for x, y in zip(row, column)) for column in zip(*b)] for row in a]

m = [[1, 1], [1, 0]]
power = [[1, 0], [0, 1]]
for bit in bin(90)[2:]:
    power = multiply(power, power)
    if bit == "1":
        power = multiply(power, m)
power[0][1]
