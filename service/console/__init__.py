"""The console: pages for operators at /console, above what the API has.

A screen is a function that answers a Screen, and a template. Every verb on a page is a request to
the API as scripts send it, with the session's token.
"""
