"""Models and generators that were trained elsewhere: read, checked, and made to fit the stages."""
