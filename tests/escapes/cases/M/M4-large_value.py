# about = "A value of twenty megabytes does not leave the session."
# expect = "value:null"
"x" * (2 * 10**7)
