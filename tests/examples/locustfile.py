from random import randint

from locust import HttpUser, between, task


class WebsiteUser(HttpUser):
    wait_time = between(0.01, 0.05)

    def on_start(self):
        form = {"username": "user1@example.com", "password": "secret"}
        token = self.client.post("/token", data=form).json()["access_token"]
        self.client.headers["Authorization"] = f"Bearer {token}"

    @task(3)
    def read_items(self):
        self.client.get("/items")
        self.client.get(f"/items/{randint(1, 200)}", name="/items/[id]")

    @task
    def read_me(self):
        self.client.get("/users/me")
