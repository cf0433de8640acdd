values = [4, 2, 0, 1]
for value in values:
    print(8 / value)
