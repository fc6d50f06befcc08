"""The labelled bench: real short trainings, healthy and with planted faults, and what mlcheck says of them."""
