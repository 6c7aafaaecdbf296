"""What an experiment can tell: who is moved by what, beside what giving everybody the best action earns."""
