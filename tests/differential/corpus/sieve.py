def primes(n):
    marks = bytearray([1]) * (n + 1)
    marks[0:2] = b"\0\0"
    for i in range(2, int(n ** 0.5) + 1):
        if marks[i]:
            marks[i * i :: i] = bytes(len(marks[i * i :: i]))
    return [i for i, mark in enumerate(marks) if mark]

found = primes(2000)
print(len(found), found[-3:])
sum(found)
