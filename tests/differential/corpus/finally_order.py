log = []
def f(n):
    for i in range(n):
        try:
            if i == 2:
                return i
            if i == 1:
                continue
            log.append(i)
        finally:
            log.append(f"f{i}")
    return None

(f(4), log)
