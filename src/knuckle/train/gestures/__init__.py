"""The network that recognises hand shapes: trained on landmarks of posed hands and of photos."""
