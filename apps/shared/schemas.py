"""Request and response models, and the types of their fields."""

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

MAX_ID = 2**63 - 1  # the databases' largest integer; drivers raise beyond it

Id = Annotated[int, Path(ge=1, le=MAX_ID)]
Skip = Annotated[int, Query(ge=0, le=MAX_ID)]
Limit = Annotated[int, Query(ge=1, le=100)]
WaitMs = Annotated[float, Query(ge=0, le=10_000, description="milliseconds")]

# Unicode categories of control characters (NUL, newline, ...) and of line and paragraph
# separators: a name or a title is one line. (Pydantic rejects half a surrogate pair.)
FORBIDDEN_CATEGORIES = {"Cc", "Zl", "Zp"}
# Direction embeddings, overrides and isolates: they would also reorder the text around them on a
# page. Arabic and Hebrew do not need them.
DIRECTION_CONTROLS = {
    *map(chr, (*range(0x202A, 0x202F), *range(0x2066, 0x206A)))
}
# Categories of format characters, spaces, and marks, which need a base character.
INVISIBLE_CATEGORIES = {"Cf", "Zs", "Mn", "Mc", "Me"}
# Characters that fonts draw as nothing, although Unicode lists them as letters, symbols or
# unassigned.
INVISIBLE_CHARACTERS = {
    *"\u115f\u1160\u3164\uffa0",  # Hangul fillers
    "\u2800",  # Braille pattern of no dots
    "\U0001d159",  # musical null notehead
    *"\U00013441\U00013442",  # blanks between hieroglyphs
    "\u2065",
    *map(chr, range(0xFFF0, 0xFFF9)),
    *map(chr, range(0xE0000, 0xE1000)),  # with tags and variation selectors
}


def _visible_line(text: str) -> str:
    for letter in text:
        if (
            category(letter) in FORBIDDEN_CATEGORIES
            or letter in DIRECTION_CONTROLS
        ):
            raise PydanticCustomError(
                "not_one_line",
                "Control characters, line breaks and direction overrides"
                " are not allowed",
            )
    if all(
        category(c) in INVISIBLE_CATEGORIES or c in INVISIBLE_CHARACTERS
        for c in text
    ):
        raise PydanticCustomError(
            "nothing_visible", "At least one character must be visible"
        )
    return text


def _without_nul(text: str) -> str:
    if "\0" in text:  # PostgreSQL cannot store it
        raise PydanticCustomError("nul", "The character NUL is not allowed")
    return text


# Users click on names and titles: one visible line, stripped of whitespace at its ends.
Username = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=50),
    AfterValidator(_visible_line),
]
# Lower case, so that one address has one account.
Email = Annotated[EmailStr, Field(max_length=120), AfterValidator(str.lower)]
Password = Annotated[str, Field(min_length=8, max_length=128)]
Title = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=100),
    AfterValidator(_visible_line),
]
# Limited, because a page of a hundred posts is read into memory.
Content = Annotated[
    str, Field(min_length=1, max_length=100_000), AfterValidator(_without_nul)
]

POSTS_PER_PAGE = settings.posts_per_page

# The default of a field that a PATCH may leave out. Defaults are not validated, so a null that a
# client sends is still rejected.
Unset: Any = None

EMAIL: TypeAdapter[str] = TypeAdapter(Email)


def normalize_email(text: str) -> str:
    """Return `text` in the form that a registration stores; accept any text."""
    try:
        return EMAIL.validate_python(text)
    except ValidationError:
        # PostgreSQL accepts no NUL, and no driver half a surrogate pair.
        return text.replace("\0", "?").encode(errors="replace").decode()


class UserCreate(BaseModel):
    """Registration."""

    username: Username
    email: Email
    password: Password


class UserUpdate(BaseModel):
    """Changes of a user: only the fields that are sent."""

    username: Username = Unset
    email: Email = Unset


class UserPublic(BaseModel):
    """A user without the email address."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    username: str
    image_file: str | None
    image_path: str


class UserPrivate(UserPublic):
    """A user with the email address, which only the user may read."""

    email: str


class Token(BaseModel):
    """Access token of a login."""

    access_token: str
    token_type: str = "bearer"


class PostCreate(BaseModel):
    """Title and content of a post."""

    title: Title
    content: Content


class PostUpdate(BaseModel):
    """Changes of a post: only the fields that are sent."""

    title: Title = Unset
    content: Content = Unset


class PostResponse(BaseModel):
    """A post with its author."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    title: str
    content: str
    user_id: int
    date_posted: datetime
    author: UserPublic


class PostPage(BaseModel):
    """One page of a list of posts."""

    posts: list[PostResponse]
    total: int
    skip: int
    limit: int
    has_more: bool


class Page(TypedDict):
    """Return value of a route whose response model is `PostPage`."""

    posts: Sequence[Post]
    total: int
    skip: int
    limit: int
    has_more: bool


def paginate(posts: Sequence[Post], total: int, skip: int, limit: int) -> Page:
    """Return `posts` as the page that starts after `skip` of `total` posts."""
    has_more = skip + len(posts) < total
    return Page(
        posts=posts, total=total, skip=skip, limit=limit, has_more=has_more
    )


class Problem(BaseModel):
    """Error response."""

    detail: str


def error_responses(*codes: int) -> dict[int | str, dict[str, Any]]:
    """Return the error responses of a route for the OpenAPI schema."""
    return {code: {"model": Problem} for code in codes}
