# about = "So do quit and raising what exit raises, also with a value that is no number."
# also = ["in-process"]
# expect = ["error:SystemExit", "ok"]
try:
    quit()
except NameError:
    raise SystemExit(["no", "number"]) from None
