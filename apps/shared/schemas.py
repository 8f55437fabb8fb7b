"""What goes in and comes out over HTTP."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, TypedDict
from unicodedata import category

from fastapi import Path, Query
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    EmailStr,
    Field,
    StringConstraints,
    TypeAdapter,
    ValidationError,
)
from pydantic_core import PydanticCustomError

from apps.shared.models import Post
from apps.shared.settings import settings

LARGEST_ID = 2**63 - 1  # SQLite's integer; beyond it the driver raises

Id = Annotated[int, Path(ge=1, le=LARGEST_ID)]
Skip = Annotated[int, Query(ge=0, le=LARGEST_ID)]
Limit = Annotated[int, Query(ge=1, le=100)]
WaitMs = Annotated[float, Query(ge=0, le=10_000, description="milliseconds")]

# Control characters (NUL, newline, ...), line and paragraph separators: a name or a title is one
# line of text. (Half a surrogate pair is no text to pydantic.)
NOT_IN_A_LINE = {"Cc", "Zl", "Zp"}
# Embeddings, overrides and isolates: they would turn the text around them on the page as well.
# Arabic and Hebrew need none of them.
TURNS_TEXT = {*map(chr, (*range(0x202A, 0x202F), *range(0x2066, 0x206A)))}
# Format characters, blanks, and marks, which need a letter to stand on.
SHOWS_NOTHING = {"Cf", "Zs", "Mn", "Mc", "Me"}
# What Unicode counts as a letter or a symbol, or keeps for later use as a format character, and
# fonts draw as nothing.
DRAWN_BLANK = {
    *"\u115f\u1160\u3164\uffa0",  # Hangul fillers
    "\u2800",  # Braille pattern of no dots
    "\U0001d159",  # musical null notehead
    *"\U00013441\U00013442",  # blanks between hieroglyphs
    "\u2065",
    *map(chr, range(0xFFF0, 0xFFF9)),
    *map(chr, range(0xE0000, 0xE1000)),  # with tags and variation selectors
}


def _line(text: str) -> str:
    for letter in text:
        if category(letter) in NOT_IN_A_LINE or letter in TURNS_TEXT:
            raise PydanticCustomError(
                "not_one_line",
                "Control characters, line breaks and direction overrides"
                " are not allowed",
            )
    if all(category(c) in SHOWS_NOTHING or c in DRAWN_BLANK for c in text):
        raise PydanticCustomError(
            "nothing_visible", "At least one character must be visible"
        )
    return text


def _storable(text: str) -> str:
    if "\0" in text:  # PostgreSQL cannot store it
        raise PydanticCustomError("nul", "The character NUL is not allowed")
    return text


# What others see and click on: one line, not blank. Whitespace at its ends is cut off first.
Username = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=50),
    AfterValidator(_line),
]
# One account an address, however it is typed.
Email = Annotated[EmailStr, Field(max_length=120), AfterValidator(str.lower)]
Password = Annotated[str, Field(min_length=8, max_length=128)]
Title = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=100),
    AfterValidator(_line),
]
# A page of a hundred posts is read into memory at once.
Content = Annotated[
    str, Field(min_length=1, max_length=100_000), AfterValidator(_storable)
]

POSTS_PER_PAGE = settings.posts_per_page

# What a field of a PATCH holds that was not sent. Being a default, it is never validated;
# a null that was sent is refused.
UNSENT: Any = None

EMAIL: TypeAdapter[str] = TypeAdapter(Email)


def normal_email(text: str) -> str:
    """`text` as it was stored when somebody registered with it; any text is taken."""
    try:
        return EMAIL.validate_python(text)
    except ValidationError:
        return text.encode(errors="replace").decode()


class UserCreate(BaseModel):
    username: Username
    email: Email
    password: Password


class UserUpdate(BaseModel):
    """Only the fields that were sent count."""

    username: Username = UNSENT
    email: Email = UNSENT


class UserPublic(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: int
    username: str
    image_file: str | None
    image_path: str


class UserPrivate(UserPublic):
    email: str


class Token(BaseModel):
    access_token: str
    token_type: str = "bearer"


class PostCreate(BaseModel):
    title: Title
    content: Content


class PostUpdate(BaseModel):
    """Only the fields that were sent count."""

    title: Title = UNSENT
    content: Content = UNSENT


class PostResponse(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: int
    title: str
    content: str
    user_id: int
    date_posted: datetime
    author: UserPublic


class PostPage(BaseModel):
    posts: list[PostResponse]
    total: int
    skip: int
    limit: int
    has_more: bool


class Page(TypedDict):
    """What a route returns for a `PostPage`; FastAPI turns the rows into `PostResponse`."""

    posts: Sequence[Post]
    total: int
    skip: int
    limit: int
    has_more: bool


def page_of(posts: Sequence[Post], total: int, skip: int, limit: int) -> Page:
    """`posts` as the page that starts after `skip` of `total`."""
    has_more = skip + len(posts) < total
    return Page(
        posts=posts, total=total, skip=skip, limit=limit, has_more=has_more
    )


class Problem(BaseModel):
    detail: str


def problems(*codes: int) -> dict[int | str, dict[str, Any]]:
    """What a route may answer instead, for the API's description."""
    return {code: {"model": Problem} for code in codes}
