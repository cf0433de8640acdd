print("before")
"a" + 1
