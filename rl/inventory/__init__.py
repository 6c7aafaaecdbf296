"""How much to order: stock dynamics, demand behind sold-out days, ordering policies, a plan and a learner."""
