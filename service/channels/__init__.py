"""What the channels take."""
