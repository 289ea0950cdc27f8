(* The lemmas behind the rules of gendsl's kernel, and the tactics that exported proofs use.

   Sums are over natural numbers below a size: rsum n f = f 0 + ... + f (n - 1). Tactics recurse over
   the form of the goal; none of them searches under binders. Compiles with Coq 8.16 and later. *)

Require Import Reals Lra Lia Psatz List ZArith.
Import ListNotations.
Open Scope R_scope.

(* ---- sums ---------------------------------------------------------------------------------- *)

Fixpoint rsum (n : nat) (f : nat -> R) : R :=
  match n with O => 0 | S k => rsum k f + f k end.

Lemma rsum_ext : forall n f g, (forall i, (i < n)%nat -> f i = g i) -> rsum n f = rsum n g.
Proof.
  induction n as [|n IH]; intros f g H; simpl; [reflexivity|].
  rewrite (IH f g) by (intros i Hi; apply H; lia). rewrite (H n) by lia. reflexivity.
Qed.

Lemma rsum_plus : forall n f g, rsum n (fun i => f i + g i) = rsum n f + rsum n g.
Proof. induction n as [|n IH]; intros; simpl; [ring|]. rewrite IH. ring. Qed.

Lemma rsum_scal : forall n c f, rsum n (fun i => c * f i) = c * rsum n f.
Proof. induction n as [|n IH]; intros; simpl; [ring|]. rewrite IH. ring. Qed.

Lemma rsum_zero_body : forall n, rsum n (fun _ => 0) = 0.
Proof. induction n as [|n IH]; simpl; [reflexivity|]. rewrite IH. ring. Qed.

Lemma rsum_const : forall n c, rsum n (fun _ => c) = INR n * c.
Proof. induction n as [|n IH]; intros; [simpl; ring|]. rewrite S_INR. simpl. rewrite IH. ring. Qed.

Lemma rsum_swap : forall n m f,
  rsum n (fun i => rsum m (fun j => f i j)) = rsum m (fun j => rsum n (fun i => f i j)).
Proof.
  induction n as [|n IH]; intros m f; simpl.
  - symmetry. apply rsum_zero_body.
  - rewrite IH. symmetry. apply rsum_plus.
Qed.

Lemma rsum_times : forall n m f g,
  rsum n f * rsum m g = rsum n (fun i => rsum m (fun j => f i * g j)).
Proof.
  intros. rewrite Rmult_comm. rewrite <- rsum_scal. apply rsum_ext; intros.
  rewrite rsum_scal. ring.
Qed.

(* Linear combinations of functions: the step that normal forms of sums are made of. *)
Definition lin (l : list (R * (nat -> R))) (i : nat) : R :=
  fold_right (fun p a => fst p * snd p i + a) 0 l.
Definition linsum (n : nat) (l : list (R * (nat -> R))) : R :=
  fold_right (fun p a => fst p * rsum n (snd p) + a) 0 l.

Lemma rsum_lin : forall n l, rsum n (lin l) = linsum n l.
Proof.
  induction l as [|[c f] l IH]; unfold lin, linsum; simpl.
  - apply rsum_zero_body.
  - rewrite rsum_plus, rsum_scal. f_equal. exact IH.
Qed.

Lemma rsum_nonneg : forall n f, (forall i, (i < n)%nat -> 0 <= f i) -> 0 <= rsum n f.
Proof.
  induction n as [|n IH]; intros f H; simpl; [lra|].
  apply Rplus_le_le_0_compat; [apply IH; intros; apply H; lia | apply H; lia].
Qed.

Lemma rsum_pos : forall n f, (0 < n)%nat -> (forall i, (i < n)%nat -> 0 < f i) -> 0 < rsum n f.
Proof.
  intros [|n] f Hn H; [lia|]. simpl.
  assert (0 <= rsum n f) by (apply rsum_nonneg; intros; apply Rlt_le, H; lia).
  assert (0 < f n) by (apply H; lia). lra.
Qed.

Lemma rsum_eq_zero : forall n f, (forall i, (i < n)%nat -> f i = 0) -> rsum n f = 0.
Proof. intros n f H. rewrite (rsum_ext n f (fun _ => 0) H). apply rsum_zero_body. Qed.

Lemma rsum_zero : forall n f, (forall i, (i < n)%nat -> 0 <= f i) -> rsum n f = 0 ->
  forall i, (i < n)%nat -> f i = 0.
Proof.
  induction n as [|n IH]; intros f H E i Hi; [lia|]. simpl in E.
  assert (0 <= rsum n f) by (apply rsum_nonneg; intros; apply H; lia).
  assert (0 <= f n) by (apply H; lia).
  destruct (Nat.eq_dec i n) as [->|]; [lra|].
  apply IH; [intros; apply H; lia | lra | lia].
Qed.

(* ---- Kronecker's delta and tiles ------------------------------------------------------------ *)

Definition delta (i j : nat) : R := if Nat.eqb i j then 1 else 0.

Lemma delta_same : forall i, delta i i = 1.
Proof. intros. unfold delta. rewrite Nat.eqb_refl. reflexivity. Qed.

Lemma delta_sym : forall i j, delta i j = delta j i.
Proof. intros. unfold delta. rewrite Nat.eqb_sym. reflexivity. Qed.

Lemma delta_other : forall i j, i <> j -> delta i j = 0.
Proof. intros i j H. unfold delta. apply Nat.eqb_neq in H. rewrite H. reflexivity. Qed.

Lemma delta_bit : forall i j, delta i j = 0 \/ delta i j = 1.
Proof. intros. unfold delta. destruct (Nat.eqb i j); auto. Qed.

Lemma rsum_delta_none : forall n j f, (n <= j)%nat -> rsum n (fun i => delta i j * f i) = 0.
Proof.
  intros n j f H. apply rsum_eq_zero. intros i Hi. unfold delta.
  destruct (Nat.eqb_spec i j); [lia | ring].
Qed.

Lemma rsum_delta : forall n j f, (j < n)%nat -> rsum n (fun i => delta i j * f i) = f j.
Proof.
  induction n as [|n IH]; intros j f H; [lia|]. simpl.
  destruct (Nat.eq_dec j n) as [->|].
  - rewrite rsum_delta_none by lia. rewrite delta_same. ring.
  - rewrite IH by lia. unfold delta. destruct (Nat.eqb_spec n j); [lia | ring].
Qed.

Lemma rsum_split : forall n m f, rsum (n + m) f = rsum n f + rsum m (fun i => f (n + i)%nat).
Proof.
  induction m as [|m IH]; intros; simpl.
  - rewrite Nat.add_0_r. ring.
  - rewrite Nat.add_succ_r. simpl. rewrite IH. ring.
Qed.

Lemma rsum_mask : forall n m f, (n <= m)%nat ->
  rsum m (fun i => if (i <? n)%nat then f i else 0) = rsum n f.
Proof.
  intros n m f H. replace m with (n + (m - n))%nat by lia. rewrite rsum_split.
  rewrite (rsum_ext n _ f) by
    (intros i Hi; destruct (Nat.ltb_spec i n); [reflexivity | lia]).
  rewrite (rsum_eq_zero (m - n)) by
    (intros i Hi; destruct (Nat.ltb_spec (n + i) n); [lia | reflexivity]).
  ring.
Qed.

Lemma rsum_blocks : forall p b f,
  rsum (p * b) f = rsum p (fun q => rsum b (fun r => f (q * b + r)%nat)).
Proof.
  induction p as [|p IH]; intros; simpl; [reflexivity|].
  rewrite Nat.add_comm. rewrite rsum_split, IH. reflexivity.
Qed.

(* A grid of p tiles of b lanes, masked by the bound, covers every index below n once. *)
Theorem tiling : forall n b p f, (n <= p * b)%nat ->
  rsum p (fun q => rsum b (fun r => if (q * b + r <? n)%nat then f (q * b + r)%nat else 0))
  = rsum n f.
Proof.
  intros n b p f H. rewrite <- (rsum_mask n (p * b) f H). rewrite rsum_blocks. reflexivity.
Qed.

(* ---- batches: repeated, and put together ------------------------------------------------------- *)

Lemma rsum_repeat : forall r n f, (0 < n)%nat ->
  rsum (r * n) (fun i => f (i mod n)%nat) = INR r * rsum n f.
Proof.
  intros r n f H. rewrite rsum_blocks. rewrite (rsum_ext r _ (fun _ => rsum n f)).
  - apply rsum_const.
  - intros q Hq. apply rsum_ext. intros i Hi. f_equal.
    rewrite Nat.add_comm, Nat.mod_add by lia. apply Nat.mod_small. exact Hi.
Qed.

Lemma rsum_concat : forall n m f g h, (forall i, (i < n)%nat -> h i = f i) ->
  (forall i, (i < m)%nat -> h (n + i)%nat = g i) -> rsum (n + m) h = rsum n f + rsum m g.
Proof.
  intros n m f g h F G. rewrite rsum_split. f_equal; apply rsum_ext; assumption.
Qed.

(* ---- means over independent standard normal noise, by what such a mean does -------------------- *)

(* Z: noise; I: its entries; inside: which exist; same: 1 for the same entry, else 0. *)
Definition gaussian {Z I : Type} (inside : I -> Prop) (same : I -> I -> R) (entry : I -> Z -> R)
  (Ex : (Z -> R) -> R) : Prop :=
  (forall f g, (forall z, f z = g z) -> Ex f = Ex g) /\
  (forall f g, Ex (fun z => f z + g z) = Ex f + Ex g) /\
  (forall c f, Ex (fun z => c * f z) = c * Ex f) /\
  Ex (fun _ => 1) = 1 /\
  (forall i, inside i -> Ex (entry i) = 0) /\
  (forall i j, inside i -> inside j -> Ex (fun z => entry i z * entry j z) = same i j).

Definition gaussian0 : ((R -> R) -> R) -> Prop :=
  gaussian (fun _ : unit => True) (fun _ _ => 1) (fun _ z => z).
Definition gaussian1 (n : nat) : (((nat -> R) -> R) -> R) -> Prop :=
  gaussian (fun i => (i < n)%nat) delta (fun i z => z i).
Definition gaussian2 (n m : nat) : (((nat -> nat -> R) -> R) -> R) -> Prop :=
  gaussian (fun '(a, b) => (a < n)%nat /\ (b < m)%nat)
    (fun '(a, b) '(a', b') => delta a a' * delta b b') (fun '(a, b) z => z a b).
Definition gaussian3 (n m k : nat) : (((nat -> nat -> nat -> R) -> R) -> R) -> Prop :=
  gaussian (fun '(a, b, c) => (a < n)%nat /\ (b < m)%nat /\ (c < k)%nat)
    (fun '(a, b, c) '(a', b', c') => delta a a' * delta b b' * delta c c')
    (fun '(a, b, c) z => z a b c).
Definition gaussian4 (n m k l : nat) : (((nat -> nat -> nat -> nat -> R) -> R) -> R) -> Prop :=
  gaussian (fun '(a, b, c, d) => (a < n)%nat /\ (b < m)%nat /\ (c < k)%nat /\ (d < l)%nat)
    (fun '(a, b, c, d) '(a', b', c', d') => delta a a' * delta b b' * delta c c' * delta d d')
    (fun '(a, b, c, d) z => z a b c d).

Lemma law_affine : forall Z I inside same entry Ex, @gaussian Z I inside same entry Ex ->
  forall (value : I -> Z -> R) (m s : I -> R),
  (forall i z, inside i -> value i z = m i + s i * entry i z) ->
  (forall i, inside i -> Ex (value i) = m i) /\
  (forall i j, inside i -> inside j ->
    Ex (fun z => (value i z - m i) * (value j z - m j)) = s i * s j * same i j).
Proof.
  intros Z I inside same entry Ex (ext & plus & scal & one & first & second) value m s H. split.
  - intros i Hi. rewrite (ext _ (fun z => m i * 1 + s i * entry i z)) by
      (intros z; rewrite H by exact Hi; ring).
    rewrite plus, (scal (m i) (fun _ => 1)), scal, one, first by exact Hi. ring.
  - intros i j Hi Hj. rewrite (ext _ (fun z => (s i * s j) * (entry i z * entry j z))) by
      (intros z; rewrite !H by assumption; ring).
    rewrite scal, second by assumption. ring.
Qed.

(* ---- derivatives of what does not change ------------------------------------------------------- *)

Lemma still : forall f : R -> R, (forall t, f t = f 0) -> derivable_pt_lim f 0 0.
Proof.
  intros f H eps Heps. exists (mkposreal 1 Rlt_0_1). intros h Hh _.
  replace ((f (0 + h) - f 0) / h - 0) with 0 by (rewrite (H (0 + h)); field; exact Hh).
  rewrite Rabs_R0. exact Heps.
Qed.

(* ---- tangents, relu, indicators -------------------------------------------------------------- *)

Lemma exp_lem : forall u, 0 <= exp u - u - 1.
Proof.
  intros u. destruct (Req_dec u 0) as [->|H]; [rewrite exp_0; lra|].
  pose proof (exp_ineq1 u H). lra.
Qed.

Lemma exp_zero : forall u, exp u - u - 1 = 0 -> u = 0.
Proof.
  intros u E. destruct (Req_dec u 0) as [|H]; [assumption|].
  pose proof (exp_ineq1 u H). lra.
Qed.

Lemma exp_strict : forall u, u <> 0 -> 0 < exp u - u - 1.
Proof. intros u H. pose proof (exp_ineq1 u H). lra. Qed.

Lemma ln_lem : forall x, 0 < x -> 0 <= x - 1 - ln x.
Proof. intros x H. pose proof (exp_lem (ln x)). rewrite exp_ln in * by assumption. lra. Qed.

Lemma ln_zero : forall x, 0 < x -> x - 1 - ln x = 0 -> x - 1 = 0.
Proof.
  intros x H E. assert (L : ln x = 0) by
    (apply exp_zero; rewrite exp_ln by assumption; lra).
  lra.
Qed.

Definition relu (x : R) : R := Rmax x 0.

Lemma relu_nonneg : forall x, 0 <= relu x.
Proof. intros. apply Rmax_r. Qed.

Lemma relu_above : forall x, 0 <= relu x - x.
Proof. intros. pose proof (Rmax_l x 0). unfold relu. lra. Qed.

Lemma relu_at : forall x, 0 <= x -> relu x = x.
Proof. intros. unfold relu. apply Rmax_left. assumption. Qed.

Lemma relu_below : forall x, 0 <= - x -> relu x = 0.
Proof. intros. unfold relu. apply Rmax_right. lra. Qed.

Lemma relu_flip : forall x, relu x - relu (- x) - x = 0.
Proof. intros. unfold relu, Rmax. destruct (Rle_dec x 0), (Rle_dec (- x) 0); lra. Qed.

Lemma relu_opp : forall x, relu (- x) = relu x - x.
Proof. intros. pose proof (relu_flip x). lra. Qed.

Lemma relu_scale : forall c x, 0 < c -> relu (c * x) = c * relu x.
Proof.
  intros c x H. unfold relu. rewrite <- RmaxRmult by lra. rewrite Rmult_0_r. reflexivity.
Qed.

Lemma Rmax_relu : forall a b, Rmax a b = b + relu (a - b).
Proof. intros. unfold relu, Rmax. destruct (Rle_dec a b), (Rle_dec (a - b) 0); lra. Qed.

Lemma Rmin_relu : forall a b, Rmin a b = a - relu (a - b).
Proof.
  intros. unfold relu, Rmax, Rmin. destruct (Rle_dec a b), (Rle_dec (a - b) 0); lra.
Qed.

Lemma Rabs_relu : forall a, Rabs a = relu a + relu (- a).
Proof.
  intros. unfold relu, Rmax, Rabs.
  destruct (Rcase_abs a), (Rle_dec a 0), (Rle_dec (- a) 0); lra.
Qed.

Definition ge0 (x : R) : R := if Rle_dec 0 x then 1 else 0.
Definition eq0 (x : R) : R := if Req_EM_T x 0 then 1 else 0.

Lemma ge0_bit : forall x, ge0 x = 0 \/ ge0 x = 1.
Proof. intros. unfold ge0. destruct (Rle_dec 0 x); auto. Qed.
Lemma eq0_bit : forall x, eq0 x = 0 \/ eq0 x = 1.
Proof. intros. unfold eq0. destruct (Req_EM_T x 0); auto. Qed.
Lemma ge0_true : forall x, 0 <= x -> ge0 x = 1.
Proof. intros. unfold ge0. destruct (Rle_dec 0 x); [reflexivity | lra]. Qed.
Lemma ge0_false : forall x, 0 < - x -> ge0 x = 0.
Proof. intros. unfold ge0. destruct (Rle_dec 0 x); [lra | reflexivity]. Qed.
Lemma eq0_true : forall x, x = 0 -> eq0 x = 1.
Proof. intros. unfold eq0. destruct (Req_EM_T x 0); [reflexivity | lra]. Qed.
Lemma eq0_false : forall x, x <> 0 -> eq0 x = 0.
Proof. intros. unfold eq0. destruct (Req_EM_T x 0); [contradiction | reflexivity]. Qed.
Lemma staircase : forall i j,
  ge0 (INR i - INR j) - ge0 (INR i - INR j - 1) - delta i j = 0.
Proof.
  intros i j. unfold delta. destruct (Nat.eqb_spec i j) as [->|N].
  - rewrite ge0_true, ge0_false by lra. ring.
  - destruct (Nat.lt_ge_cases i j) as [L|L].
    + assert (INR i < INR j) by (apply lt_INR; lia).
      rewrite !ge0_false by lra. ring.
    + assert (INR (S j) <= INR i) by (apply le_INR; lia). rewrite S_INR in *.
      rewrite !ge0_true by lra. ring.
Qed.

Lemma bit_square : forall b, b = 0 \/ b = 1 -> b * b = b.
Proof. intros b [->| ->]; ring. Qed.
Lemma bit_nonneg : forall b, b = 0 \/ b = 1 -> 0 <= b.
Proof. intros b [->| ->]; lra. Qed.
Lemma bit_below : forall b, b = 0 \/ b = 1 -> 0 <= 1 - b.
Proof. intros b [->| ->]; lra. Qed.
Lemma gate_open : forall x, 0 <= ge0 x * x.
Proof. intros. unfold ge0. destruct (Rle_dec 0 x); lra. Qed.
Lemma gate_closed : forall x, 0 <= (ge0 x - 1) * x.
Proof. intros. unfold ge0. destruct (Rle_dec 0 x); lra. Qed.

(* ---- the index of a least value --------------------------------------------------------------- *)

Fixpoint argmin (n : nat) (f : nat -> R) : nat :=
  match n with
  | O => O
  | S k => if Rlt_dec (f k) (f (argmin k f)) then k else argmin k f
  end.
Definition argmax (n : nat) (f : nat -> R) : nat := argmin n (fun i => - f i).

Lemma argmin_below : forall n f, (0 < n)%nat -> (argmin n f < n)%nat.
Proof.
  induction n as [|n IH]; intros f H; [lia|]. simpl.
  destruct (Rlt_dec (f n) (f (argmin n f))); [lia|].
  destruct n; [simpl; lia|]. specialize (IH f). lia.
Qed.

Lemma argmin_least : forall n f j, (j < n)%nat -> f (argmin n f) <= f j.
Proof.
  induction n as [|n IH]; intros f j H; [lia|]. simpl.
  destruct (Rlt_dec (f n) (f (argmin n f))) as [L|L];
    destruct (Nat.eq_dec j n) as [->|]; try lra;
    assert (f (argmin n f) <= f j) by (apply IH; lia); lra.
Qed.

Lemma argmin_ext : forall n f g, (forall i, (i < n)%nat -> f i = g i) -> argmin n f = argmin n g.
Proof.
  induction n as [|n IH]; intros f g H; simpl; [reflexivity|].
  rewrite (IH f g) by (intros; apply H; lia).
  destruct n as [|n].
  - simpl. rewrite (H 0%nat) by lia.
    destruct (Rlt_dec (g 0%nat) (g 0%nat)); reflexivity.
  - rewrite (H (S n)) by lia.
    rewrite (H (argmin (S n) g)) by (pose proof (argmin_below (S n) g); lia).
    reflexivity.
Qed.

Lemma argmax_below : forall n f, (0 < n)%nat -> (argmax n f < n)%nat.
Proof. intros. apply argmin_below. assumption. Qed.
Lemma argmax_most : forall n f j, (j < n)%nat -> f j <= f (argmax n f).
Proof.
  intros n f j H. pose proof (argmin_least n (fun i => - f i) j H). unfold argmax. simpl in *. lra.
Qed.
Lemma argmax_ext : forall n f g, (forall i, (i < n)%nat -> f i = g i) -> argmax n f = argmax n g.
Proof. intros. apply argmin_ext. intros. rewrite H by assumption. reflexivity. Qed.

(* ---- the rules about comparisons with zero ------------------------------------------------------ *)

Lemma ge_of_eq : forall x, x = 0 -> 0 <= x.
Proof. intros. lra. Qed.
Lemma times_zero : forall f x, x = 0 -> f * x = 0.
Proof. intros f x ->. ring. Qed.
Lemma times_ge : forall f x, 0 <= f -> 0 <= x -> 0 <= f * x.
Proof. intros. apply Rmult_le_pos; assumption. Qed.
Lemma times_gt : forall f x, 0 < f -> 0 < x -> 0 < f * x.
Proof. intros. apply Rmult_lt_0_compat; assumption. Qed.
Lemma times_ne : forall f x, f <> 0 -> x <> 0 -> f * x <> 0.
Proof. intros. apply Rmult_integral_contrapositive_currified; assumption. Qed.
Lemma square_ge : forall x, 0 <= x ^ 2.
Proof. intros. apply pow2_ge_0. Qed.
Lemma square_zero : forall x, x ^ 2 = 0 -> x = 0.
Proof. intros x H. apply Rsqr_0_uniq. unfold Rsqr. simpl in H. lra. Qed.
Lemma pow_zero : forall n x, x ^ n = 0 -> x = 0.
Proof.
  intros n x H. destruct (Req_dec x 0) as [|N]; [assumption|].
  exfalso. exact (pow_nonzero x n N H).
Qed.
Lemma root_ge : forall x y, 0 <= y -> 0 <= y * y - x * x -> 0 <= y - x.
Proof.
  intros x y Hy H. destruct (Rle_dec x y); [lra|]. exfalso. assert (y < x) by lra. nra.
Qed.
Lemma divide_eq : forall q x, q <> 0 -> q * x = 0 -> x = 0.
Proof. intros q x Hq H. destruct (Rmult_integral q x H); [contradiction | assumption]. Qed.
Lemma divide_ge : forall q x, 0 < q -> 0 <= q * x -> 0 <= x.
Proof. intros q x Hq H. apply (Rmult_le_reg_l q); [assumption|]. rewrite Rmult_0_r. assumption. Qed.
Lemma divide_gt : forall q x, 0 < q -> 0 < q * x -> 0 < x.
Proof. intros q x Hq H. apply (Rmult_lt_reg_l q); [assumption|]. rewrite Rmult_0_r. assumption. Qed.
Lemma divide_ne : forall q x, q * x <> 0 -> x <> 0.
Proof. intros q x H E. apply H. rewrite E. ring. Qed.
Lemma pos_ne : forall x, 0 < x -> x <> 0.
Proof. intros. lra. Qed.
Lemma zero_or_not : forall x, 0 <= x -> x <> 0 -> 0 < x.
Proof. intros. lra. Qed.
Lemma exp_nat : forall n x, exp (INR n * x) = exp x ^ n.
Proof.
  induction n as [|n IH]; intros; [simpl; rewrite Rmult_0_l; apply exp_0|].
  rewrite S_INR, Rmult_plus_distr_r, Rmult_1_l, exp_plus, IH. simpl. ring.
Qed.
Lemma sqrt_twice : forall x, 0 <= x -> sqrt x * sqrt x = x.
Proof. intros. apply sqrt_sqrt. assumption. Qed.
Lemma sqrt_zero_base : forall x, 0 <= x -> sqrt x = 0 -> x = 0.
Proof. intros. apply sqrt_eq_0; assumption. Qed.
Lemma ln_sqrt : forall x, 0 < x -> ln (sqrt x) = 1 / 2 * ln x.
Proof.
  intros x H. assert (0 < sqrt x) by (apply sqrt_lt_R0; assumption).
  assert (E : ln x = ln (sqrt x) + ln (sqrt x)).
  { rewrite <- ln_mult by assumption. rewrite sqrt_sqrt by lra. reflexivity. }
  lra.
Qed.
Lemma ln_power : forall n x, 0 < x -> ln (x ^ n) = INR n * ln x.
Proof.
  induction n as [|n IH]; intros x H; [simpl; rewrite ln_1; ring|].
  rewrite S_INR. simpl. rewrite ln_mult, IH by (try apply pow_lt; assumption). ring.
Qed.

Lemma index_gap : forall n i, (i < n)%nat -> 0 <= INR n - 1 - INR i.
Proof. intros n i H. assert (INR (S i) <= INR n) by (apply le_INR; lia). rewrite S_INR in *. lra. Qed.
Lemma ln_by_exp : forall x y, x = exp y -> ln x = y.
Proof. intros x y ->. apply ln_exp. Qed.
Lemma exp_half_ln : forall x, 0 < x -> exp (1 / 2 * ln x) = sqrt x.
Proof. intros x H. rewrite <- ln_sqrt by assumption. apply exp_ln, sqrt_lt_R0. assumption. Qed.
Lemma sqrt_by_square : forall x y, 0 <= y -> y * y = x -> sqrt x = y.
Proof. intros x y Hy <-. apply sqrt_square. assumption. Qed.

(* ---- tactics ----------------------------------------------------------------------------------- *)

Ltac below := solve [assumption | lia | nia
  | apply argmin_below; assumption | apply argmax_below; assumption].

Ltac known := match goal with
  | |- _ => assumption
  | H : 0 < ?x |- 0 <= ?x => apply Rlt_le; exact H
  | H : forall _, _ |- _ => solve [apply H; below | apply Rlt_le; apply H; below]
  end.

(* 0 <= x and 0 < x: what is supposed, then by the form of x. *)
Ltac nn := first [assumption | apply Rlt_le; assumption | nn_form]
with pos := first [assumption | pos_form]
with nn_form := lazymatch goal with
  | |- 0 <= 0 => apply Rle_refl
  | |- 0 <= _ + _ => first [solve [apply Rplus_le_le_0_compat; nn] | known | lra]
  | |- 0 <= _ * _ => first [solve [apply Rmult_le_pos; nn] | known | nra]
  | |- 0 <= rsum _ _ => first [known | apply rsum_nonneg; intros; nn]
  | |- 0 <= exp _ => apply Rlt_le, exp_pos
  | |- 0 <= relu _ => apply relu_nonneg
  | |- 0 <= delta _ _ => apply bit_nonneg, delta_bit
  | |- 0 <= ge0 _ => apply bit_nonneg, ge0_bit
  | |- 0 <= eq0 _ => apply bit_nonneg, eq0_bit
  | |- 0 <= INR _ => apply pos_INR
  | |- 0 <= sqrt _ => apply sqrt_pos
  | |- 0 <= PI => apply Rlt_le, PI_RGT_0
  | |- 0 <= _ ^ 2 => apply pow2_ge_0
  | |- 0 <= ?x ^ ?n => first [solve [apply pow_le; nn]
      | let m := eval compute in (Nat.div2 n) in
        replace (x ^ n) with ((x ^ m) ^ 2) by ring; apply pow2_ge_0]
  | |- 0 <= / _ => first [known | apply Rlt_le, Rinv_0_lt_compat; pos]
  | |- 0 <= _ => first [known | lra]
  end
with pos_form := lazymatch goal with
  | |- 0 < _ + _ => first [solve [apply Rplus_lt_le_0_compat; [pos | nn]]
      | solve [apply Rplus_le_lt_0_compat; [nn | pos]] | known | lra]
  | |- 0 < _ * _ => first [solve [apply Rmult_lt_0_compat; pos] | known]
  | |- 0 < rsum _ _ => first [known | apply rsum_pos; [below | intros; pos]]
  | |- 0 < exp _ => apply exp_pos
  | |- 0 < INR _ => first [known | apply lt_0_INR; below]
  | |- 0 < sqrt _ => first [known | apply sqrt_lt_R0; pos]
  | |- 0 < PI => apply PI_RGT_0
  | |- 0 < _ ^ _ => first [known | apply pow_lt; pos]
  | |- 0 < / _ => first [known | apply Rinv_0_lt_compat; pos]
  | |- 0 < _ => first [known | lra]
  end.

(* x <> 0. *)
Ltac nz := lazymatch goal with
  | |- _ /\ _ => split; nz
  | |- _ * _ <> 0 => first [known
      | solve [apply Rmult_integral_contrapositive_currified; nz]
      | solve [apply pos_ne; pos] | lra]
  | |- _ ^ _ <> 0 => first [known | solve [apply pow_nonzero; nz]]
  | |- / _ <> 0 => apply Rinv_neq_0_compat; nz
  | |- IZR _ <> 0 => lra
  | |- _ <> 0 => first [known | solve [apply pos_ne; pos] | lra]
  end.

Ltac inverses := rewrite ?Rinv_mult, ?Rinv_inv, <- ?pow_inv, ?Rinv_1.

(* Equality of two expressions over the same opaque terms. *)
Ltac fin := first [reflexivity | ring | solve [field; nz] | solve [inverses; ring]].
Ltac fin1 q := first [reflexivity | ring [q] | solve [field [q]; nz]].
Ltac fin2 q r := first [reflexivity | ring [q r] | solve [field [q r]; nz]].
Ltac fin3 q r s := first [reflexivity | ring [q r s] | solve [field [q r s]; nz]].
Ltac fin4 q r s t := first [reflexivity | ring [q r s t] | solve [field [q r s t]; nz]].
Ltac fin5 q r s t u := first [reflexivity | ring [q r s t u] | solve [field [q r s t u]; nz]].

(* ---- running products, and sequences given step by step ---------------------------------------- *)

Fixpoint rprod (n : nat) (f : nat -> R) : R :=
  match n with O => 1 | S k => rprod k f * f k end.

Lemma rprod_pos : forall n f, (forall i, (i < n)%nat -> 0 < f i) -> 0 < rprod n f.
Proof.
  induction n as [|n IH]; intros f H; simpl; [lra|].
  apply Rmult_lt_0_compat; [apply IH; intros; apply H; lia | apply H; lia].
Qed.

Lemma rprod_at_most_1 : forall n f, (forall i, (i < n)%nat -> 0 < f i <= 1) -> rprod n f <= 1.
Proof.
  induction n as [|n IH]; intros f H; simpl; [lra|].
  assert (rprod n f <= 1) by (apply IH; intros; apply H; lia).
  assert (0 < rprod n f) by (apply rprod_pos; intros; apply H; lia).
  assert (0 < f n <= 1) by (apply H; lia). nra.
Qed.

Lemma rprod_next_below : forall n f, (forall i, (i < n)%nat -> 0 < f i) -> f n <= 1 ->
  rprod (S n) f <= rprod n f.
Proof.
  intros n f H L. simpl. assert (0 < rprod n f) by (apply rprod_pos; exact H). nra.
Qed.

Lemma steps_bound : forall n c g, 0 < c -> (forall i, (i < n)%nat -> g (S i) <= c * g i) ->
  forall t, (t < 1 + n)%nat -> g t <= exp (INR t * ln c) * g 0%nat.
Proof.
  intros n c g Hc H. induction t as [|t IH]; intros Ht.
  - simpl. rewrite Rmult_0_l, exp_0. lra.
  - rewrite S_INR, Rmult_plus_distr_r, Rmult_1_l, exp_plus, exp_ln by exact Hc.
    assert (g t <= exp (INR t * ln c) * g 0%nat) by (apply IH; lia).
    assert (g (S t) <= c * g t) by (apply H; lia).
    assert (c * g t <= c * (exp (INR t * ln c) * g 0%nat)) by (apply Rmult_le_compat_l; lra).
    lra.
Qed.

(* One factor of a product: which part it is of, and what is supposed of that entry. *)
Ltac entry_of k := repeat match goal with
  | H : forall i : nat, (i < _)%nat -> _ |- _ => specialize (H k ltac:(lia))
  end.
Ltac factor := intros; cbv beta; repeat match goal with
  | |- context [if (?i <? ?n)%nat then _ else _] => destruct (Nat.ltb_spec i n); try lia
  end; try lra; match goal with |- context [?f (?i - ?n)%nat] => entry_of (i - n)%nat; lra end.
Ltac parts := intros; repeat match goal with H : _ /\ _ |- _ => destruct H end.

Ltac running := parts; lazymatch goal with
  | |- 0 < rprod _ _ => apply rprod_pos; factor
  | |- rprod (S (1 + ?i)) ?f <= rprod (S (0 + ?i)) ?f =>
      change (rprod (S (S i)) f <= rprod (S i) f); apply rprod_next_below; [factor |];
      cbv beta; replace (S i <? 1)%nat with false by reflexivity;
      replace (S i - 1)%nat with i by lia; entry_of i; lra
  | |- rprod (S (1 + ?i)) ?f = rprod (S (0 + ?i)) ?f * ?b =>
      change (rprod (S i) f * f (S i) = rprod (S i) f * b);
      cbv beta; replace (S i <? 1)%nat with false by reflexivity;
      replace (S i - 1)%nat with i by lia; ring
  | |- rprod _ _ <= 1 => apply rprod_at_most_1; intros; split; factor
  | |- rprod _ _ = _ => cbn; ring
  end.

Ltac by_steps := parts; eapply steps_bound; [eassumption | | eassumption];
  intros; cbv beta; match goal with
  | H : forall i : nat, (i < _)%nat -> _, i : nat |- _ => exact (H i ltac:(assumption))
  end.
