"""The pages of both apps and of the report in a real browser."""
