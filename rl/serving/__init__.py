"""The service that decides in the shop: the kernel's observations, the policy's choices, logged before they leave."""
