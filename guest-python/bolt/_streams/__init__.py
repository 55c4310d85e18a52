"""Bodies that flow: responses that are sent in parts, and request bodies that are read in parts."""
