"""What helps to work on the repository; no part of the package."""
