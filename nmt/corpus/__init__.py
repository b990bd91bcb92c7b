"""What somebody's files hold."""
