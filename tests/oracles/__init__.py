"""Numbers from elsewhere that the engine is held to, with the scripts that make them."""
