"""How people see the difference of a decoded picture from its original, as a number with a gradient by each pixel."""
