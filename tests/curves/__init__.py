"""Generated training curves whose truth is known: healthy ones that naive rules get wrong, and faulty ones."""
