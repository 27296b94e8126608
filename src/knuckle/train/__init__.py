"""The workshop: what makes the networks. Needs the extra `train`; nothing else of Knuckle imports it."""
