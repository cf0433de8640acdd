deep = None
for n in range(200):
    deep = [deep] if n % 2 else {"k": deep}
count = 0
while deep:
    deep = deep[0] if isinstance(deep, list) else deep["k"]
    count += 1
circle = [1]; circle.append(circle)
(count, repr(circle))
