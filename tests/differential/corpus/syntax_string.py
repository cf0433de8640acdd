x = "not closed
