"""The annotation page and what it asks of the scorer, over HTTP."""
