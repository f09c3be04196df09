"""Where weights come from: the release's layout, in its own formats or as safetensors; and the embedded nano."""
