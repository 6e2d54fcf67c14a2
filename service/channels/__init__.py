"""What a channel is to whoever enqueues: one declaration each, and one table of all of them.

words (what people read of it) · declaration (what is declared) · webhook, email, log (the rules of
each) · table (all of them, by name) · message, header, body (a mail as it is written). How a
channel delivers is in workers/channels/.
"""
