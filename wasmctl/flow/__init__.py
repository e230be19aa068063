"""Chains the stages for the verbs that need earlier ones: push = build → package → push.

Knows the order and nothing of how a stage does its work.
"""
