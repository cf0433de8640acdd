def share(total, people):
    return total / people


print("before")
share(1, 0)
