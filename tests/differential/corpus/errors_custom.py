class AppError(Exception):
    def __init__(self, code):
        super().__init__(f"code {code}")
        self.code = code

def work():
    try:
        raise KeyError("inner")
    except KeyError as error:
        raise AppError(7) from error

work()
