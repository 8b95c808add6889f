"""Live sessions: a model is trained while people label pixels in the annotation page."""
