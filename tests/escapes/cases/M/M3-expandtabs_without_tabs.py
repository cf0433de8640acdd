# about = "A text without tabs that is expanded."
# expect = ['value:"a"', "error:OverflowError"]
"a".expandtabs(10**12)
