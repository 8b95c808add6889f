"""The HTTP service: the annotation page, and scores and masks on request."""
