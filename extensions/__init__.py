"""Front ends: the slice viewer's ES module and the Voilà template, found as package data."""
