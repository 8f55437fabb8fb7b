"""HTML pages, rendered on the server; not part of the OpenAPI schema."""

from fastapi import APIRouter, Request, Response

from apps.shared import statements
from apps.shared.rendering import render_page
from apps.shared.schemas import POSTS_PER_PAGE, Id, paginate

from apps.async_app.database import SessionDep
from apps.async_app.posts import find_post
from apps.async_app.users import find_user

router = APIRouter(include_in_schema=False)


@router.get("/", name="home")
@router.get("/posts", name="posts")
async def home_page(request: Request, session: SessionDep) -> Response:
    """Show the newest posts."""
    total = await session.scalar(statements.count_posts()) or 0
    result = await session.execute(statements.posts_page(0, POSTS_PER_PAGE))
    page = paginate(result.scalars().all(), total, 0, POSTS_PER_PAGE)
    return render_page(request, "home.html", {"page": page})


@router.get("/posts/{post_id}")
async def post_page(
    request: Request,
    session: SessionDep,
    post_id: Id,
) -> Response:
    """Show one post."""
    post = await find_post(session, post_id)
    return render_page(request, "post.html", {"post": post})


@router.get("/users/{user_id}/posts")
async def user_posts_page(
    request: Request,
    session: SessionDep,
    user_id: Id,
) -> Response:
    """Show the newest posts of one user."""
    user = await find_user(session, user_id)
    total = await session.scalar(statements.count_user_posts(user_id)) or 0
    newest = statements.user_posts_page(user_id, 0, POSTS_PER_PAGE)
    result = await session.execute(newest)
    page = paginate(result.scalars().all(), total, 0, POSTS_PER_PAGE)
    context = {"user": user, "page": page}
    return render_page(request, "user_posts.html", context)


@router.get("/login")
async def login_page(request: Request) -> Response:
    """Show the login form."""
    return render_page(request, "login.html")


@router.get("/register")
async def register_page(request: Request) -> Response:
    """Show the registration form."""
    return render_page(request, "register.html")


@router.get("/account")
async def account_page(request: Request) -> Response:
    """Show the account page; its script loads the user."""
    return render_page(request, "account.html")
