"""The light: states as colours and countable rhythms, shown on an RGB LED or in a terminal."""
