(* The lemmas behind the rules of the kernel of gendsl. *)
