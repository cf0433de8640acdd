from typing import Annotated, Callable, Generic, Literal, Optional, TypeVar, Union, get_args, get_origin
T = TypeVar("T")
class Box(Generic[T]):
    def __class_getitem__(cls, item):
        return super().__class_getitem__(item)
(get_args(Optional[int]) == (int, type(None)), get_origin(list[int]), Literal["a", 1].__args__, get_args(Callable[[int], str])[1], Box[int].__origin__ is Box, get_args(Annotated[int, "m"]), get_args(Union[int, str]))
