"""A small real OpenID provider with practice users."""
