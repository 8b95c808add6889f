"""What a frozen backbone sees in photographs, kept in a file, and a head that learns from it."""
